// Members of JSON objects as text: values are moved, never read, so that numbers keep all their digits.

/** A value under nested keys. */
export interface Member {
  readonly keys: readonly string[];
  readonly value: string;
}

/** Where the string that begins at `from` ends: after its closing quote. */
function stringEnd(text: string, from: number): number {
  let i = from + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
  return i + 1;
}

/** Where the value that begins at `from` ends: before a comma or bracket that does not belong to it. */
function valueEnd(text: string, from: number): number {
  let depth = 0;
  let i = from;
  while (i < text.length) {
    const char = text[i];
    if (char === '"') {
      i = stringEnd(text, i);
      continue;
    }
    if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") {
      if (depth === 0) return i;
      depth--;
    } else if (char === "," && depth === 0) return i;
    i++;
  }
  return i;
}

/** The members of a valid JSON object without white space between its tokens. */
export function topMembers(object: string): { key: string; value: string }[] {
  const members: { key: string; value: string }[] = [];
  let at = 1;
  while (at < object.length - 1) {
    const keyEnd = stringEnd(object, at);
    const end = valueEnd(object, keyEnd + 1);
    const key = JSON.parse(object.slice(at, keyEnd)) as string;
    members.push({ key, value: object.slice(keyEnd + 1, end) });
    at = end + 1;
  }
  return members;
}

type Tree = Map<string, Tree | string>;

/** One object of all members; of two with the same keys the later one stays. */
export function joinMembers(members: readonly Member[]): string {
  const root: Tree = new Map();
  for (const { keys, value } of members) {
    let tree = root;
    keys.forEach((key, i) => {
      if (i === keys.length - 1) {
        tree.set(key, value);
        return;
      }
      const child = tree.get(key);
      const next: Tree = child instanceof Map ? child : new Map();
      tree.set(key, next);
      tree = next;
    });
  }
  return write(root);
}

function write(tree: Tree): string {
  const members = [...tree].map(
    ([key, value]) => `${JSON.stringify(key)}:${typeof value === "string" ? value : write(value)}`,
  );
  return `{${members.join(",")}}`;
}
