import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { settings } from "../src/settings.ts";
import { root } from "./support/sources.ts";

// Images are not built here; this checks what can be seen from the files: that what they name exists and fits.

function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** Instructions with their continued lines joined, comments left out. */
function instructions(text: string): [name: string, rest: string][] {
  return text
    .replace(/^#.*\n/gm, "")
    .replace(/\\\n\s*/g, " ")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [name = "", ...rest] = line.split(" ");
      return [name, rest.join(" ")];
    });
}

const dockerfile = instructions(read("docker/Dockerfile"));
const last = dockerfile.slice(dockerfile.findLastIndex(([name]) => name === "FROM"));
const compose = read("docker/compose.yml");

function environment(name: string): string | undefined {
  const rest = last.find(([instruction]) => instruction === "ENV")?.[1] ?? "";
  return new RegExp(`(?:^| )${name}=(\\S+)`).exec(rest)?.[1];
}

describe("Dockerfile", () => {
  test("knows only instructions that there are", () => {
    const known =
      /^(?:FROM|WORKDIR|COPY|RUN|ENV|USER|VOLUME|EXPOSE|HEALTHCHECK|STOPSIGNAL|ENTRYPOINT|CMD)$/;
    expect(dockerfile.filter(([name]) => !known.test(name))).toEqual([]);
  });

  test("copies files that exist and that .dockerignore lets through", () => {
    const sources = dockerfile
      .filter(([name, rest]) => name === "COPY" && !rest.includes("--from="))
      .flatMap(([, rest]) => rest.split(" ").slice(0, -1))
      .filter((word) => !word.startsWith("--"));
    expect(sources).toContain("package-lock.json");
    expect(sources.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    const letThrough = read(".dockerignore").split("\n");
    expect(sources.filter((path) => !letThrough.includes(`!${path}`))).toEqual([]);
  });

  test("runs as a user without rights, as process 1, with a health check", () => {
    const value = (name: string) => last.findLast(([instruction]) => instruction === name)?.[1];
    expect(value("USER")).toBe("node");
    expect(JSON.parse(value("ENTRYPOINT") ?? "")).toEqual(["node", "dist/main.js"]);
    expect(value("HEALTHCHECK")).toContain("/api/v1/health/ready");
    expect(value("FROM")).toBe("node:24-slim");
  });

  test("sets variables that are settings", () => {
    const names = Object.values(settings).map(
      ({ name }) => `MILLRACE_${name.toUpperCase().replaceAll("-", "_")}`,
    );
    const rest = last.find(([instruction]) => instruction === "ENV")?.[1] ?? "";
    const used = [...rest.matchAll(/(MILLRACE_\w+)=/g)].map(([, name = ""]) => name);
    expect(used.length).toBeGreaterThan(0);
    expect(used.filter((name) => !names.includes(name))).toEqual([]);
  });
});

describe("compose.yml", () => {
  test("builds that file, publishes its port on loopback, and keeps its data", () => {
    expect(compose).toContain("dockerfile: docker/Dockerfile");
    expect(compose).toContain(`127.0.0.1:8080:${environment("MILLRACE_PORT")}`);
    expect(compose).toContain(`data:${environment("MILLRACE_DATA")}`);
    expect(compose).toMatch(/^volumes:\n {2}data:$/m);
  });

  test("gives the server longer to stop than it takes at most", () => {
    const seconds = Number(/stop_grace_period: (\d+)s/.exec(compose)?.[1]);
    const timeoutMs = settings.shutdownTimeoutMs.parse(settings.shutdownTimeoutMs.default) ?? 0;
    expect(seconds * 1000).toBeGreaterThanOrEqual(timeoutMs + 10_000);
  });
});
