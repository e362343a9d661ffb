export { arithmetic } from "./arithmetic";
export { compareColumns } from "./compare";
export { matchLike } from "./like";
export {
  combineCodes, mapBuckets, mapClock, mapCodes, mapConstant, mapSpans, mapTruths, mapValues, mergeNumbers,
  settleNumbers,
} from "./map";
export { unary } from "./unary";
