/** What is waited for may take its time on a slow and busy machine. */
import { configure } from "@testing-library/react";

configure({ asyncUtilTimeout: 20_000 });
