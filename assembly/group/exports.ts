export {
  groupBuckets, groupCodes, groupIntegers, groupNulls, groupNumbers, groupRange, groupStarts, groupUuids,
} from "./ids";
export { groupCounted, groupCounts } from "./counts";
export { groupNumbered } from "./numbered";
export { groupRuns } from "./runs";
export {
  groupCompareKeys, groupPackKeys, groupRanks, groupTextBytes, groupUnpackKeys, groupUnpackPairs,
} from "./order";
export { groupRehash } from "./table";
export {
  groupCombine, groupCompact, groupFill, groupInternMarked, groupMark, groupPairs, groupProduct, groupTranslate,
} from "./translate";
