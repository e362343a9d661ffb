// JSON text as tokens that keep what JSON.parse forgets: digits, duplicates and the order of keys.

/** `source` is the value's text without insignificant white space. */
export type Token = { readonly source: string } & (
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "number" }
  | { readonly kind: "literal"; readonly value: boolean | null }
  | { readonly kind: "array"; readonly items: readonly Token[] }
  | { readonly kind: "object"; readonly members: readonly (readonly [string, Token])[] }
);

/** Reads text that JSON.parse has accepted; what it would refuse may come out as anything. */
export function readTokens(text: string): Token {
  return new Reader(text).value();
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): Token {
    this.#space();
    const first = this.#text.charAt(this.#at);
    if (first === "{") return this.#object();
    if (first === "[") return this.#array();
    const source = first === '"' ? this.#string() : this.#take(/[-+.\w]+/y);
    if (first === '"') return { kind: "string", source, text: JSON.parse(source) as string };
    if (!/^[tfn]/.test(source)) return { kind: "number", source };
    return { kind: "literal", source, value: JSON.parse(source) as boolean | null };
  }

  #object(): Token {
    const members: [string, Token][] = [];
    const parts: string[] = [];
    this.#at++;
    while (!this.#closes("}")) {
      const key = this.#string();
      this.#space();
      this.#at++;
      const value = this.value();
      members.push([JSON.parse(key) as string, value]);
      parts.push(`${key}:${value.source}`);
    }
    return { kind: "object", source: `{${parts.join(",")}}`, members };
  }

  #array(): Token {
    const items: Token[] = [];
    this.#at++;
    while (!this.#closes("]")) items.push(this.value());
    return { kind: "array", source: `[${items.map((item) => item.source).join(",")}]`, items };
  }

  /** Steps over the closing bracket, or to the next member. */
  #closes(bracket: string): boolean {
    this.#space();
    if (this.#text.charAt(this.#at) === ",") this.#at++;
    this.#space();
    if (this.#text.charAt(this.#at) !== bracket) return false;
    this.#at++;
    return true;
  }

  #string(): string {
    return this.#take(/"(?:[^"\\]|\\.)*"/y);
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const source = pattern.exec(this.#text)?.[0];
    if (source === undefined) throw new Error(`no token at ${this.#at}`);
    this.#at += source.length;
    return source;
  }

  #space(): void {
    while (/^[ \t\r\n]$/.test(this.#text.charAt(this.#at))) this.#at++;
  }
}
