// The theme draws diagrams with a global `mermaid`, which it would load from another host. This one
// loads the script of the site itself, and only on pages that have a diagram.
const source = new URL("mermaid.js", document.currentScript.src);
let loaded;

function load() {
  loaded ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = source;
    script.onload = () => resolve(globalThis.mermaid); // the script replaces the global below
    script.onerror = reject;
    document.head.append(script);
  });
  return loaded;
}

globalThis.mermaid = {
  initialize: (config) => load().then((mermaid) => mermaid.initialize(config)),
  render: (id, text) => load().then((mermaid) => mermaid.render(id, text)),
};
