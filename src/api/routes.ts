// Every path of the API and its methods: what a 405 allows, and which labels the metrics have.

export const eventPath = "/api/v1/events";
export const batchPath = "/api/v1/events/batch";
export const streamPath = "/api/v1/stream/events";
export const metricsStreamPath = "/api/v1/stream/metrics";
export const aggregationsPath = "/api/v1/aggregations";
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
  [metricsStreamPath, ["GET", "HEAD"]],
  [aggregationsPath, ["GET", "HEAD", "POST"]],
  [`${aggregationsPath}/{id}`, ["GET", "HEAD", "PUT", "DELETE"]],
  [`${aggregationsPath}/{id}/pause`, ["POST"]],
  [`${aggregationsPath}/{id}/resume`, ["POST"]],
  [`${aggregationsPath}/{id}/recompute`, ["POST"]],
  ["/api/v1/analytics/aggregations", ["GET", "HEAD"]],
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
  for (const collection of [queriesPath, aggregationsPath]) {
    if (!path.startsWith(`${collection}/`)) continue;
    const pattern = path.slice(collection.length).replace(/^\/[^/]+/, "/{id}");
    if (methodsOfPath.has(collection + pattern)) return collection + pattern;
  }
  return path;
}

/** The methods of a path, or undefined when there is no such path. */
export function methodsOf(path: string): string[] | undefined {
  return methodsOfPath.get(patternOf(path));
}
