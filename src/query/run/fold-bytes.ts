// The content of a partial of groups, cut into its groups and put together again: each group with its key and its states
// as bytes of its own, so that it can be stored, and merged with any others, alone. See docs/formats/partial.md.

/** One group: the values of its keys, and its states one after the other, each with its tag. */
export interface SplitGroup {
  /** Empty without keys. Equal for equal values, whatever thread wrote them. */
  readonly key: Uint8Array;
  readonly states: Uint8Array;
}
