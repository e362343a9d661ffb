export { decodeCapacity, decodeColumn, decodedSize } from "./decode";
export { encodeColumn, encodeColumns } from "./encode";
export { filterTexts, repeatedTexts } from "./text-filter";
