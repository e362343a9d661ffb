import type { DiskFullError, InputError, MillraceError, OverloadError } from "../errors.ts";

/** What an ingest can fail with: the body (InputError), load, the disk, or an engine that has stopped. */
export type EngineFailure = InputError | OverloadError | DiskFullError | MillraceError;
