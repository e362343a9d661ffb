import { mkdirSync, statSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { MillraceError } from "../errors.ts";

/** A held lock on a data folder; the kernel releases it when the process ends, however it ends. */
export interface FolderLock {
  release(): Promise<void>;
}

/**
 * Takes the data folder for this process, and makes the folder where it does not exist.
 *
 * Node has no file locks, so the lock is a listening socket: on Linux in the abstract namespace, where a
 * name can't outlive its process and binding is atomic; elsewhere a socket file or pipe. The name is the
 * folder's device and inode, so that two spellings of one folder collide.
 *
 * @throws MillraceError `data_folder_in_use`
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  mkdirSync(folder, { recursive: true });
  const { dev, ino } = statSync(folder, { bigint: true });
  const server = createServer((socket) => socket.destroy());
  server.unref();
  try {
    await listen(server, socketPath(folder, `millrace-${dev}-${ino}`));
  } catch (cause) {
    throw new MillraceError(
      "data_folder_in_use",
      `data folder ${folder}: another process has it open; stop that one, or choose another --data`,
      {},
      { cause },
    );
  }
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}

function socketPath(folder: string, name: string): string {
  if (process.platform === "linux") return `\0${name}`;
  if (process.platform === "win32") return `\\\\.\\pipe\\${name}`;
  return join(folder, "lock.sock");
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path }, resolve);
  });
}
