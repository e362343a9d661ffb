/** As much of an element of a page as its scripts need. */
export class FakeElement {
  readonly name: string;
  readonly children: FakeElement[] = [];
  readonly listeners: Record<string, (event: object) => void> = {};
  textContent = "";
  className = "";
  title = "";
  value = "";
  open = false;
  dataset: Record<string, string> = {};
  parent: FakeElement | null = null;

  constructor(name: string) {
    this.name = name;
  }

  append(child: FakeElement): void {
    child.parent = this;
    this.children.push(child);
  }

  replaceChildren(child: FakeElement): void {
    this.children.splice(0, Infinity, child);
  }

  remove(): void {
    const { children = [] } = this.parent ?? {};
    children.splice(children.indexOf(this), 1);
  }

  addEventListener(name: string, listener: (event: object) => void): void {
    this.listeners[name] = listener;
  }

  createTHead = (): FakeElement => this.#add("thead");
  createTBody = (): FakeElement => this.#add("tbody");
  insertRow = (): FakeElement => this.#add("tr");

  #add(name: string): FakeElement {
    const child = new FakeElement(name);
    this.append(child);
    return child;
  }

  /** The texts of all cells and of nothing else, row by row. */
  rows(): string[][] {
    if (this.name === "tr") return [this.children.map(({ textContent }) => textContent)];
    return this.children.flatMap((child) => child.rows());
  }
}
