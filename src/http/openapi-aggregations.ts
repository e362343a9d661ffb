// The part of the OpenAPI document that is about aggregation rules.

type Json = Record<string, unknown>;

/** References and answers as the whole document makes them. */
export interface Pieces {
  reference(name: string): Json;
  problems(...statuses: number[]): Json;
}

const json = (schema: Json): Json => ({ "application/json": { schema } });

const id: Json = {
  name: "id",
  in: "path",
  required: true,
  description: "The id or the name of a rule; name@2 is its second version",
  schema: { type: "string" },
};

function operation(summary: string, operationId: string, rest: Json): Json {
  return { summary, operationId, tags: ["aggregations"], ...rest };
}

export function aggregationsPaths({ reference, problems }: Pieces): Json {
  const rule = (description: string): Json => ({
    description,
    content: json(reference("StoredRule")),
  });
  const forms = { oneOf: ["Rule", "ShortRule", "SqlRule"].map(reference) };
  const taking = { requestBody: { required: true, content: json(forms) } };
  const state = (verb: string, summary: string): Json => ({
    post: operation(summary, `${verb}Aggregation`, {
      parameters: [id],
      responses: { 200: rule("The rule"), ...problems(404, 409, 503) },
    }),
  });
  return {
    "/api/v1/aggregations": {
      get: operation("The rules, by name", "listAggregations", {
        responses: {
          200: { description: "All of them", content: json(reference("StoredRules")) },
          ...problems(503),
        },
      }),
      post: operation("Create a rule", "createAggregation", {
        ...taking,
        responses: {
          201: rule("It is stored, and takes events from now on"),
          ...problems(400, 409, 413, 415, 501, 503),
        },
      }),
    },
    "/api/v1/aggregations/{id}": {
      get: operation("A rule, its state and what is wrong with it", "readAggregation", {
        parameters: [id],
        responses: { 200: rule("The rule"), ...problems(404, 503) },
      }),
      put: operation("Replace a rule by a new version", "replaceAggregation", {
        parameters: [id],
        ...taking,
        responses: {
          200: rule("The new version takes over"),
          ...problems(400, 404, 409, 413, 415, 501, 503),
        },
      }),
      delete: operation("Delete a rule and all its windows", "deleteAggregation", {
        parameters: [id],
        responses: { 204: { description: "It is gone" }, ...problems(404, 409, 503) },
      }),
    },
    "/api/v1/aggregations/{id}/pause": state("pause", "Let a rule take no events"),
    "/api/v1/aggregations/{id}/resume": state("resume", "Let a rule take events again"),
    "/api/v1/aggregations/{id}/recompute": {
      post: operation("Compute windows again from stored events", "recomputeAggregation", {
        parameters: [id],
        requestBody: { required: true, content: json(reference("Recompute")) },
        responses: {
          200: { description: "It is done", content: json(reference("Recomputed")) },
          ...problems(400, 404, 413, 415, 503),
        },
      }),
    },
  };
}
