import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `npm run build` passes --outDir; the default is for a build by hand. `vite` alone serves the sources and asks the API of a
// server that runs on its usual port.
const api = process.env["RETRAIN_URL"] ?? "http://127.0.0.1:4400";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../dist/console",
    emptyOutDir: true,
    target: "es2022",
    // Source maps would be most of the package's size.
    sourcemap: false,
    // The content security policy allows no data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The charts' chunk is large on purpose: it is loaded when the first chart is shown.
    chunkSizeWarningLimit: 1200,
  },
  // The API takes changes from its own pages only; here the proxy speaks for them.
  server: { proxy: { "/api": { target: api, changeOrigin: true, headers: { origin: api } } } },
});
