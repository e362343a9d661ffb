// Every path of the API and its methods: what a 405 allows, and which labels the metrics have.

export const eventPath = "/api/v1/events";
export const batchPath = "/api/v1/events/batch";
export const streamPath = "/api/v1/stream/events";
export const queriesPath = "/api/v1/queries";
export const storagePath = "/api/v1/storage";

/** Monitoring answers under the API's prefix and without it, as probes and scrapers expect it. */
export function monitoringPaths(path: string): string[] {
  return [path, `/api/v1${path}`];
}

const methodsOfPath = new Map<string, string[]>([
  ["/", ["GET", "HEAD"]],
  [eventPath, ["POST"]],
  [batchPath, ["POST"]],
  [streamPath, ["GET"]],
  ["/api/v1/analytics/events", ["GET", "HEAD"]],
  ["/api/v1/analytics/custom-query", ["POST"]],
  [queriesPath, ["GET", "HEAD"]],
  [`${queriesPath}/{id}`, ["DELETE"]],
  [storagePath, ["GET", "HEAD"]],
  ["/api/v1/openapi.json", ["GET", "HEAD"]],
]);
for (const path of ["/health", "/health/live", "/health/ready", "/metrics"]) {
  for (const spelling of monitoringPaths(path)) methodsOfPath.set(spelling, ["GET", "HEAD"]);
}

/** The path as it is documented: what names one of many is in braces. */
export function patternOf(path: string): string {
  const [start, end] = [`${queriesPath}/`, path.slice(queriesPath.length + 1)];
  return path.startsWith(start) && /^[^/]+$/.test(end) ? `${start}{id}` : path;
}

/** The methods of a path, or undefined when there is no such path. */
export function methodsOf(path: string): string[] | undefined {
  return methodsOfPath.get(patternOf(path));
}
