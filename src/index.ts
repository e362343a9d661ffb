// The public door of the package: what a program that runs Millrace inside itself needs, and nothing else.

export { type Clock, systemClock } from "./base/clock.ts";
export { type Log, openLog, silentLog } from "./base/log.ts";
export { type Config, parseConfig } from "./config.ts";
export type { Engine, EngineStats, QueryInfo, QueryOptions, Readiness } from "./engine/engine.ts";
export type {
  BodyFormat,
  EventError,
  FieldMapping,
  IngestDone,
  IngestRequest,
  Receipt,
} from "./engine/ingest.ts";
export { openEngine } from "./engine/open.ts";
export * from "./errors.ts";
export { type RunningServer, startServer } from "./http/server.ts";
export type { RuleInfo, RuleInput, RuleState } from "./library/aggregations.ts";
export type {
  EventsFilter,
  EventsOptions,
  Page,
  StoredEvent,
  TimeInput,
} from "./library/events.ts";
export type { EventInput, IngestOptions } from "./library/ingest.ts";
export type { Listener, LiveSubscription, SubscribeOptions } from "./library/live.ts";
export {
  type ListenOptions,
  Millrace,
  type OpenOptions,
  openMillrace,
  type QueryLimits,
} from "./library/millrace.ts";
export type { Settings } from "./library/options.ts";
export { type Cell, type JsonObject, type JsonValue, Table } from "./library/table.ts";
export type {
  LiveWindow,
  LiveWindowState,
  Watch,
  Watching,
  WatchListener,
  WatchMessage,
  WatchOptions,
  WindowsUpdate,
} from "./library/watch.ts";
export {
  type PredicateForm,
  parsePredicate,
  parseQuery,
  type QueryForm,
} from "./query/form/schema.ts";
export type { Predicate, Query } from "./query/query.ts";
export {
  type EventsPage,
  type EventsRequest,
  JsonText,
  type QueryResult,
  type QueryStats,
  type ResultColumn,
  type Value,
} from "./query/result.ts";
export { parseSql, parseWhere } from "./query/sql/statement.ts";
export type { RuleStats } from "./stream/messages.ts";
export type { RuleWarning } from "./stream/rule-diagnostics.ts";
export { version } from "./version.ts";
