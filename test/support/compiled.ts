// Worker threads of tests: Node 20 runs no TypeScript, so what a worker imports is stripped of its types first.
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Writes JavaScript for a source file and for every file that it imports, in the same folders below a fresh
 * temporary one. Answers the path of the entry's JavaScript; the caller removes `directory`.
 */
export function compileForWorker(entry: string): { path: string; directory: string } {
  const directory = mkdtempSync(join(tmpdir(), "millrace-worker-"));
  writeFileSync(join(directory, "package.json"), '{"type":"module"}');
  const waiting = [resolve(root, entry)];
  const done = new Set<string>();
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (done.has(file)) continue;
    done.add(file);
    const { outputText } = ts.transpileModule(readFileSync(file, "utf8"), {
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2022,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
    });
    const out = join(directory, file.slice(root.length).replace(/\.ts$/, ".js"));
    mkdirSync(dirname(out), { recursive: true });
    writeFileSync(out, outputText);
    for (const [, path] of outputText.matchAll(/from "(\.[^"]+)\.js"/g)) {
      waiting.push(resolve(dirname(file), `${path}.ts`));
    }
  }
  const path = join(directory, entry.replace(/\.ts$/, ".js"));
  return { path, directory };
}
