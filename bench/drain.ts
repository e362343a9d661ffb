// The floor under every HTTP server on Node: read the body, look at nothing, answer.

import { createServer } from "node:http";
import { type BenchServer, isProgram, listen, runServer } from "./listener.ts";

const answer = Buffer.from('{"accepted":0,"duplicates":0,"rejected":0,"errors":[]}');
const headers = { "content-type": "application/json", "content-length": answer.length };

export function startDrain(port = 0): Promise<BenchServer> {
  const server = createServer((request, response) => {
    request.on("data", () => {});
    request.on("end", () => {
      response.writeHead(200, headers);
      response.end(answer);
    });
  });
  return listen(server, port);
}

if (isProgram(import.meta.url)) await runServer(startDrain);
