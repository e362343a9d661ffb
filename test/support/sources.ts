import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** The project's folder. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

export interface Import {
  /** Path of the imported file from the project's folder; undefined for a package. */
  readonly path: string | undefined;
  readonly name: string;
  /** Only types: nothing of it is left when the program runs. */
  readonly typeOnly: boolean;
}

/** One source file, parsed. Paths are relative to the project's folder. */
export interface Source {
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
  readonly tree: ts.SourceFile;
  readonly imports: readonly Import[];
}

/** Every TypeScript or JavaScript file under `folders`, or the file itself where one is named. */
export function readSources(...folders: string[]): Source[] {
  return folders.flatMap(sourcePaths).map(readSource);
}

function sourcePaths(folder: string): string[] {
  if (/\.m?[jt]s$/.test(folder)) return [folder];
  let entries: string[];
  try {
    entries = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  } catch {
    return [];
  }
  return entries
    .filter((entry) => /\.m?[jt]s$/.test(entry) && !entry.includes("node_modules"))
    .map((entry) => join(folder, entry))
    .sort();
}

function readSource(path: string): Source {
  const text = readFileSync(join(root, path), "utf8");
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const imports: Import[] = [];
  const add = (name: string, typeOnly: boolean) => {
    imports.push({ path: resolved(path, name), name, typeOnly });
  };
  visit(tree, (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      const specifier = node.moduleSpecifier;
      if (specifier === undefined || !ts.isStringLiteral(specifier)) return;
      add(specifier.text, isTypeOnly(node));
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [specifier] = node.arguments;
      if (specifier !== undefined && ts.isStringLiteral(specifier)) add(specifier.text, false);
    } else if (ts.isNewExpression(node) && node.expression.getText(tree) === "URL") {
      // new URL("./worker.js", import.meta.url) is how a thread's entry file is named.
      const [specifier] = node.arguments ?? [];
      const name =
        specifier
          ?.getText(tree)
          .replace(/\$\{extension\}/, "ts")
          .slice(1, -1) ?? "";
      if (/^\.\.?\/[^$]*\.[jt]s$/.test(name)) add(name, false);
    }
  });
  return { path, text, lines: text.split("\n"), tree, imports };
}

function isTypeOnly(node: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  const clause = node.importClause;
  if (clause === undefined) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const named = clause.namedBindings;
  if (clause.name !== undefined || named === undefined || !ts.isNamedImports(named)) return false;
  return named.elements.length > 0 && named.elements.every((element) => element.isTypeOnly);
}

function resolved(from: string, name: string): string | undefined {
  if (!name.startsWith(".")) return undefined;
  const path = normalize(join(dirname(from), name));
  if (path.endsWith(".js")) return `${path.slice(0, -3)}.ts`;
  return /\.m?[jt]s$/.test(path) ? path : `${path}.ts`;
}

/** Calls `each` for `node` and everything inside it. */
export function visit(node: ts.Node, each: (node: ts.Node) => void): void {
  each(node);
  ts.forEachChild(node, (child) => visit(child, each));
}

/** `path:line`, as an editor takes it. */
export function place(source: Source, node: ts.Node): string {
  const start = source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree));
  return `${source.path}:${start.line + 1}`;
}
