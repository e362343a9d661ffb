/** What an ingest answers. */
export interface Receipt {
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: number;
  readonly errors: { index: number; code: string; message: string }[];
  readonly sequences?: { partition: number; first: string; last: string }[];
}

/** A problem document, as far as tests look at it. */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly byte_offset?: number;
}

export interface StoredEvent {
  readonly id: string;
  readonly timestamp: string;
  readonly event_type: string;
  readonly source?: string;
  readonly user_id?: string;
  readonly session_id?: string;
  readonly properties: Record<string, unknown>;
}

export interface Table {
  readonly columns: { name: string; type: string }[];
  readonly rows: unknown[][];
  readonly as_of: string;
  readonly stats: Record<string, number>;
}

export interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: T;
}

export type Body = string | Uint8Array;

async function request<T>(address: string, init?: RequestInit): Promise<Answer<T>> {
  const response = await fetch(address, init);
  const text = await response.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  return { status: response.status, headers: response.headers, text, body: body as T };
}

export function get<T>(
  url: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Answer<T>> {
  return request<T>(`${url}${path}`, { headers });
}

export function post<T = Receipt>(
  url: string,
  path: string,
  body: Body,
  headers: Record<string, string> = {},
): Promise<Answer<T>> {
  return request<T>(`${url}${path}`, {
    method: "POST",
    body: body as Uint8Array<ArrayBuffer>,
    headers: { "content-type": "application/json", ...headers },
  });
}

/** Sends events as one JSON batch. `search` begins with `?`. */
export function postBatch(
  url: string,
  events: readonly unknown[],
  headers: Record<string, string> = {},
  search = "",
): Promise<Answer<Receipt>> {
  return post(url, `/api/v1/events/batch${search}`, JSON.stringify(events), headers);
}

/** Runs SQL; throws with the server's own words when it refuses. */
export async function sql(url: string, text: string, params: unknown[] = []): Promise<Table> {
  const answer = await post<Table>(
    url,
    "/api/v1/analytics/custom-query",
    JSON.stringify({ sql: text, params }),
  );
  if (answer.status !== 200) throw new Error(`${text}: ${answer.status} ${answer.text}`);
  return answer.body;
}

/** Every event that `search` asks for, page by page. */
export async function allEvents(
  url: string,
  search: Record<string, string> = {},
): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  let cursor: string | null = null;
  do {
    const parameters = new URLSearchParams({ limit: "10000", ...search });
    if (cursor !== null) parameters.set("cursor", cursor);
    const page: Answer<{ events: StoredEvent[]; next_cursor: string | null }> = await get(
      url,
      `/api/v1/analytics/events?${parameters}`,
    );
    if (page.status !== 200) throw new Error(`${page.status} ${page.text}`);
    events.push(...page.body.events);
    cursor = page.body.next_cursor;
  } while (cursor !== null);
  return events;
}
