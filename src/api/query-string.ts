import { InputError } from "../errors.ts";

/** What follows the `?` of a URL, by name; a name that comes twice is refused. */
export function queryParameters(search: string): Record<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(search)) {
    if (parameters.has(name)) {
      const message = `#/${name}: got it twice, want it once`;
      throw new InputError("invalid_parameter", message, { pointer: `#/${name}` });
    }
    parameters.set(name, value);
  }
  return Object.fromEntries(parameters);
}
