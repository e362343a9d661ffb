// What the servers of the load benchmark have in common.

import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { pathToFileURL } from "node:url";
import { endProcess } from "../src/base/exit.ts";

export interface BenchServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens on a free port of the loopback interface. */
export function listen(server: Server, port: number): Promise<BenchServer> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(listening(server)));
  });
}

export function listening(server: Server): BenchServer {
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

/** Whether this file is the program that node was asked to run. */
export function isProgram(url: string): boolean {
  return url === pathToFileURL(process.argv[1] ?? "").href;
}

/** Starts a server as a program: prints `listening on N`, which the load benchmark waits for. */
export async function runServer(start: () => Promise<BenchServer>): Promise<void> {
  const server = await start();
  console.log(`listening on ${server.port}`);
  process.once("SIGTERM", () => void server.close().then(() => endProcess(0)));
}
