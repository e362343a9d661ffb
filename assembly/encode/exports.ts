export { decodeCapacity, decodeColumn, decodedSize } from "./decode";
export { encodeColumn } from "./encode";
