// Builds everything: copies the memory layout to TypeScript's side, compiles the core to WebAssembly,
// then compiles `src/`. `--core` or `--server` builds one half; `--debug` adds the core with assertions.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const require = createRequire(import.meta.url);
const flags = new Set(process.argv.slice(2));
const all = !flags.has("--core") && !flags.has("--server");

function run(bin, args) {
  execFileSync(process.execPath, [bin, ...args], { cwd: root, stdio: "inherit" });
}

/** One owner for each shared constant: assembly/*.ts here, their copies under src/core/. */
function copyShared(name) {
  const source = readFileSync(`${root}assembly/${name}.ts`, "utf8");
  const copy = `// Copied from assembly/${name}.ts by \`npm run build\`; change it there.\n\n${source}`;
  const path = `${root}src/core/${name}.ts`;
  if (!existsSync(path) || readFileSync(path, "utf8") !== copy) writeFileSync(path, copy);
}

/** The compiler leaves behind what it once made of a source that is gone, and what is in dist/ gets published. */
function dropOrphans() {
  for (const path of readdirSync(`${root}dist`, { recursive: true })) {
    const source = path.replace(/(?:\.d)?\.[jt]s(?:\.map)?$/, ".ts");
    if (source !== path && !existsSync(`${root}src/${source}`)) rmSync(`${root}dist/${path}`);
  }
}

copyShared("layout");
copyShared("status");
mkdirSync(`${root}build`, { recursive: true });
if (all || flags.has("--core")) {
  const asc = `${root}node_modules/assemblyscript/bin/asc.js`;
  run(asc, ["--config", "asconfig.json", "--target", "release"]);
  if (flags.has("--debug")) run(asc, ["--config", "asconfig.json", "--target", "debug"]);
}
if (all || flags.has("--server")) {
  // What was built before is only worth something while its output is there.
  if (!existsSync(`${root}dist/main.js`))
    rmSync(`${root}build/tsconfig.tsbuildinfo`, { force: true });
  run(require.resolve("typescript/bin/tsc"), ["-p", "tsconfig.json"]);
  dropOrphans();
}
