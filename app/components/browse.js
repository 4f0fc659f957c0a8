// Browse as Streamlit starts it.

import { start } from "./browse/main.js";
import { Pictures } from "./browse/pictures.js";

export default (component) => start(component, ".assay-browse", Pictures);
