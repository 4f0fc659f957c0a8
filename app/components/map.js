// Map as Streamlit starts it.

import { start } from "./browse/main.js";
import { MapView } from "./map/map_view.js";

export default (component) => start(component, ".assay-map", MapView);
