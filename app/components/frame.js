export { default } from "./frame/main.js";
