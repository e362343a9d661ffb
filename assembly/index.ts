export { ROOT_VERSION } from "./layout";

// Leaves
export { crc32c } from "./memory/crc32c";
export { hashBytes } from "./memory/hash";
export { bitmapAnd, bitmapAndNot, bitmapCount, bitmapFill, bitmapOr } from "./memory/bitmap";
export { parseNumber } from "./decode/number";
export { firstInvalidUtf8 } from "./decode/utf8";
export { parseTimestamp, timestampFromF64, timestampFromI64 } from "./decode/timestamp";
export { sha256 } from "./decode/sha256";
export { formatUuid, makeUuid7, parseUuid, uuidFromText } from "./decode/uuid";
