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

// Queries
export { selectCodes, selectIds, selectPresent, selectRange } from "./filter/select";
export {
  selectionAnd, selectionAndNot, selectionCount, selectionOr, selectionRange, selectionRows,
} from "./filter/selection";
export { boundText, extremeText, findText, matchPrefix, matchTexts, rankTexts } from "./filter/text";
export { matchMembers, selectNumbers } from "./filter/members";
export { usedCodes } from "./filter/used-codes";
export { topTimes } from "./aggregate/top";
export {
  groupBuckets, groupCodes, groupCombine, groupCompact, groupCompareKeys, groupFill, groupIntegers,
  groupCounted, groupCounts, groupInternMarked, groupMark, groupNulls, groupNumbered, groupNumbers, groupPackKeys,
  groupPairs, groupProduct, groupRange, groupRanks, groupRehash, groupRuns, groupStarts, groupTextBytes,
  groupTranslate, groupUnpackKeys, groupUnpackPairs, groupUuids,
} from "./group/exports";

// Aggregates by group
export { addCounts, countVectors, mergeCounts } from "./aggregate/count";
export { addCounted, countCodes, usedCounts } from "./aggregate/counted";
export { extremeCodes, extremeIds, keepExtreme, keepExtremes, mergeIds, seeBooleans } from "./aggregate/extreme";
export { addHistogram } from "./aggregate/histogram";
export { addIdMembers, addMembers, mergeMembers, tallyOf } from "./aggregate/members";
export { keepPicked, mergePicked, pickRows } from "./aggregate/picked";
export { clearRanges, mergeRanges, widenRanges } from "./aggregate/range";
export { addRegisters, hashTexts, mergeRegisters } from "./aggregate/registers";
export { addSketch, mergeBins } from "./aggregate/sketch";
export { addSpreads, mergeSpreads } from "./aggregate/spread";
export { addNumbered, takeNumbered } from "./aggregate/sets";
export { rehashCells, rehashMembers } from "./aggregate/table";
export { addTotals, mergeTotals } from "./aggregate/total";
export { intern, internTexts, markCodes, rehashTexts } from "./aggregate/texts";
export { addValues, partValues, selectValue } from "./aggregate/values";
export { nextVector } from "./aggregate/vectors";

// Dedup
export { dedupEvicted, dedupFormat, dedupHeld, dedupInsertMany, dedupRows } from "./dedup/table";

// Sealed columns
export {
  decodeCapacity, decodeColumn, decodedSize, encodeColumn, encodeColumns, filterTexts, repeatedTexts,
} from "./encode/exports";

// Hot segments
export {
  dictionaryFind, slotApply, slotFits, slotOpen, slotSetState, slotsFormat,
} from "./segment/exports";
export {
  latenessOf, watermarkAdvance, watermarkEnter, watermarkFormat, watermarkFutureRows,
  watermarkLateRows, watermarkStateSize, watermarkTableSize,
} from "./segment/exports";

// MessagePack
export { decodeMessagePack } from "./decode/msgpack";

// Decoder
export {
  batchChecksum, batchVerify, decodeJson, decoderBegin, decoderCapacity,
  decoderFinish, decoderFormat, decoderKeptRows, decoderUsed,
} from "./decode/exports";

// Expressions
export {
  arithmetic, combineCodes, compareColumns, mapBuckets, mapClock, mapCodes, mapConstant, mapSpans, mapTruths,
  mapValues, matchLike, mergeNumbers, settleNumbers, unary,
} from "./expression/exports";

// Event time
export {
  groupsBelow, paneStamp, selectionFirst, selectionLast, selectionOf, selectionPart, slotsBelow,
} from "./stream/panes";
export { timeAwake, timeEnter, timeFormat, timeRows, timeSize, timeTick } from "./stream/event-time";
