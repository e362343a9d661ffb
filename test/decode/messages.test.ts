import { describe, expect, it } from "vitest";
import { bodyRefusal, type DecoderLimits, eventError } from "../../src/core/messages.ts";
import * as status from "../../src/core/status.ts";

const limits = { stringBytesMax: 99 } as DecoderLimits;

function context(text: string, more: object = {}) {
  return { body: Buffer.from(text), limits, isMessagePack: false, isEvent: false, ...more };
}

/** The message about the timestamp that begins with the first `@` of `text`, which is left out. */
function timestamp(text: string): string {
  const offset = text.indexOf("@");
  const fault = { code: status.EVENT_INVALID_TIMESTAMP, offset, argument: 0 };
  return eventError(0, fault, context(text.replace("@", ""))).message;
}

describe("what was got", () => {
  it.each([
    ['{"timestamp":@"yesterday","b":1}', 'got `"yesterday"` as'],
    ['{"timestamp":@"a \\"b\\" c","b":1}', 'got `"a \\\\"b\\\\" c"` as'],
    ['{"timestamp":@-1.5e3,"b":1}', "got `-1.5e3` as"],
    ['{"timestamp":@true}', "got `true` as"],
    ['{"timestamp":@{"a":1},"b":2}', 'got `{"a":1},"b":2}` as'],
    ['{"timestamp":@"0123456789012345678901234567890"}', 'got `"0123456789012345678901234567890…`'],
    ['{"timestamp":@[1,\n2]}', "got `[1,` as"],
    ['{"timestamp":@\u0001}', "got 0x01"],
  ])("%s", (text, part) => {
    expect(timestamp(text)).toContain(part);
    expect(timestamp(text)).toMatch(/at byte 13$/);
  });

  it("is bytes in MessagePack", () => {
    const fault = { code: status.BODY_NOT_EVENTS, offset: 0, argument: 0 };
    const refusal = bodyRefusal(fault, context("\u0005\n", { isMessagePack: true }));
    expect(refusal.message).toContain("got 0x05 0x0a, want");
  });
});

it("one event is wanted where no list is taken", () => {
  const fault = { code: status.BODY_NOT_EVENTS, offset: 0, argument: 0 };
  const refusal = (isEvent: boolean) => bodyRefusal(fault, context("[]", { isEvent })).message;
  expect(refusal(true)).toContain("want one event");
  expect(refusal(true)).toContain("/api/v1/events/batch");
  expect(refusal(false)).toContain("want a list of events");
});
