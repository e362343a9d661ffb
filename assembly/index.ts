export { ROOT_VERSION } from "./layout";
