import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, expect, it } from "vitest";
import { methodsOf } from "../../src/api/routes.ts";
import { openApiDocument } from "../../src/http/openapi.ts";
import { startFront } from "../support/front-server.ts";

interface Operation {
  operationId: string;
  responses: Record<string, unknown>;
}

const document = openApiDocument("1.2.3") as {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown> };
};

describe("the OpenAPI document", () => {
  it("is valid OpenAPI 3.1", async () => {
    const validator = new Validator();
    expect(await validator.validate(structuredClone(document))).toEqual({ valid: true });
    expect(validator.version).toBe("3.1");
  });

  it("has every path and method that there is, and no other", () => {
    for (const [path, operations] of Object.entries(document.paths)) {
      const methods = methodsOf(path)?.filter((method) => method !== "HEAD");
      const names = Object.keys(operations).filter((name) => name !== "description");
      expect([path, names.map((name) => name.toUpperCase())]).toEqual([path, methods]);
    }
    expect(Object.keys(document.paths)).toHaveLength(19);
  });

  it("names each operation once and refers only to what it has", () => {
    const ids = Object.values(document.paths).flatMap((operations) =>
      Object.values(operations).flatMap(({ operationId }) => operationId ?? []),
    );
    expect(new Set(ids).size).toBe(ids.length);
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)];
    expect(references.length).toBeGreaterThan(10);
    for (const [, reference = ""] of references) {
      expect(document.components.schemas).toHaveProperty(reference.replace(/.*\//, ""));
    }
  });

  it("is served", async () => {
    const server = await startFront();
    const response = await fetch(`${server.url}/api/v1/openapi.json`);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(((await response.json()) as typeof document).paths).toEqual(document.paths);
    await server.stop(1000);
  });
});
