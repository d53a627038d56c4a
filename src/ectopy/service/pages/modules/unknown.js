// The page of an address at which nothing exists; anybody may see it.

import { startOpen } from "./page.js";

startOpen();
