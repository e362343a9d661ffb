// The engines that are compared, each opened in this process: loaded from the same files of events, asked in SQL.

import { readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import type { Dataset, EngineName } from "./peers-questions.ts";
import { projectRoot } from "./servers.ts";

export interface Peer {
  readonly name: EngineName;
  /** Its own version, and what is worth saying about how it is set up. */
  readonly version: string;
  /** Loads files of newline-delimited JSON; answers nothing before all of it is on disk. */
  load(dataset: Dataset, files: readonly string[]): Promise<void>;
  /** The answer, whole, as JavaScript values: what a caller waits for. */
  ask(sql: string): Promise<readonly (readonly unknown[])[]>;
  /** Bytes on disk that the events take. */
  bytes(): Promise<number>;
  close(): Promise<void>;
}

/** Modules of the bench's own package, or of the project's where the bench's are not installed. */
const load = createRequire(join(projectRoot, "bench/package.json"));

export function isInstalled(name: "chdb" | "@duckdb/node-api"): boolean {
  try {
    load.resolve(name);
    return true;
  } catch {
    return false;
  }
}

function folderBytes(path: string): number {
  let bytes = 0;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    bytes += entry.isDirectory() ? folderBytes(child) : entry.isFile() ? statSync(child).size : 0;
  }
  return bytes;
}

const eventColumns = {
  id: "UUID",
  timestamp: "TIMESTAMP",
  event_type: "VARCHAR",
  source: "VARCHAR",
  properties:
    "STRUCT(path VARCHAR, country VARCHAR, duration_ms DOUBLE, status INTEGER, amount DOUBLE, mobile BOOLEAN, " +
    "item VARCHAR)",
  user_id: "VARCHAR",
  session_id: "VARCHAR",
};

function quotedList(files: readonly string[]): string {
  return `[${files.map((file) => `'${file}'`).join(", ")}]`;
}

/** DuckDB over a file: a column for each property, plain VARCHAR, which it encodes by dictionary itself. */
export async function openDuckDb(folder: string): Promise<Peer> {
  const duckdb = load("@duckdb/node-api") as { DuckDBInstance: typeof DuckDBInstance };
  const path = join(folder, "duckdb.db");
  const instance = await duckdb.DuckDBInstance.create(path);
  const connection: DuckDBConnection = await instance.connect();
  const ask = async (sql: string): Promise<unknown[][]> => {
    return (await connection.runAndReadAll(sql)).getRows();
  };
  const [[version] = []] = await ask("SELECT version()");
  return {
    name: "duckdb",
    version: String(version),
    ask,
    async load(dataset, files) {
      const columns = Object.entries(eventColumns).map(([name, type]) => `${name}: '${type}'`);
      const from = quotedList(files);
      await connection.run(
        dataset === "events"
          ? `CREATE TABLE events AS SELECT * EXCLUDE (properties), unnest(properties)
             FROM read_json(${from}, format = 'newline_delimited', columns = {${columns.join(", ")}})`
          : `CREATE TABLE nested AS SELECT * FROM read_json(${from}, format = 'newline_delimited')`,
      );
      await connection.run("CHECKPOINT");
    },
    bytes: async () => statSync(path).size,
    async close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** The part of chDB's own types that is used. */
interface ChSession {
  query(sql: string, format?: string): string;
  cleanup(): void;
}

const chTables: Readonly<Record<Dataset, string>> = {
  events: `CREATE TABLE events (id UUID, timestamp DateTime64(6, 'UTC'), event_type LowCardinality(String),
    source LowCardinality(String), path LowCardinality(String), country LowCardinality(String), duration_ms Float64,
    status Int32, amount Float64, mobile Bool, item String, user_id String, session_id String)
    ENGINE = MergeTree ORDER BY timestamp`,
  // As the public benchmark creates it.
  nested: `CREATE TABLE nested (data JSON(max_dynamic_paths = 0, kind LowCardinality(String),
    commit.operation LowCardinality(String), commit.collection LowCardinality(String), did String, time_us UInt64))
    ENGINE = MergeTree
    ORDER BY (data.kind, data.commit.operation, data.commit.collection, data.did,
      fromUnixTimestamp64Micro(data.time_us))`,
};

/** ClickHouse in the process: a MergeTree ordered by time, LowCardinality where a column has few values. */
export async function openChDb(folder: string): Promise<Peer> {
  const { Session } = load("chdb") as { Session: new (path: string) => ChSession };
  const path = join(folder, "chdb");
  const session = new Session(path);
  const settings =
    "SETTINGS output_format_json_quote_64bit_integers = 0, date_time_output_format = 'iso'";
  const rows = (sql: string): unknown[][] =>
    (JSON.parse(session.query(sql, "JSONCompact")) as { data: unknown[][] }).data;
  session.query("CREATE DATABASE IF NOT EXISTS bench");
  session.query("USE bench");
  const version = String(rows("SELECT version()")[0]?.[0]);
  const read = { events: eventsFromFile, nested: nestedFromFile };
  return {
    name: "chdb",
    version,
    ask: async (sql) => rows(`${sql} ${settings}`),
    async load(dataset, files) {
      session.query(chTables[dataset]);
      for (const file of files) session.query(read[dataset](file));
      session.query(`OPTIMIZE TABLE ${dataset} FINAL`);
    },
    bytes: async () => {
      const active = rows(
        "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'bench'",
      );
      return Number(active[0]?.[0]) || folderBytes(path);
    },
    close: async () => session.cleanup(),
  };
}

function eventsFromFile(file: string): string {
  return `INSERT INTO events SELECT id, timestamp, event_type, source, properties.path, properties.country,
    properties.duration_ms, properties.status, properties.amount, properties.mobile, properties.item, user_id,
    session_id FROM file('${file}', JSONEachRow, 'id UUID, timestamp DateTime64(6, \\'UTC\\'), event_type String,
    source String, properties Tuple(path String, country String, duration_ms Float64, status Int32, amount Float64,
    mobile Bool, item String), user_id String, session_id String') SETTINGS date_time_input_format = 'best_effort'`;
}

function nestedFromFile(file: string): string {
  return `INSERT INTO nested SELECT data FROM file('${file}', JSONAsObject, 'data JSON')`;
}
