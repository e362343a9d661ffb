export { slotsFormat, slotOpen, slotSetState } from "./slot";
export { slotApply, slotFits } from "./apply";
export { dictionaryFind } from "./dictionary";
export {
  latenessOf,
  watermarkAdvance,
  watermarkEnter,
  watermarkFormat,
  watermarkFutureRows,
  watermarkLateRows,
  watermarkStateSize,
  watermarkTableSize,
} from "./watermark";
