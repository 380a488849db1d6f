// xterm.js writes <style> elements and style attributes, which the page's policy forbids: both become style sheets and
// properties that scripts may set. To be imported before it.
const create = document.createElement.bind(document);
document.createElement = (name, options) => {
  if (String(name).toLowerCase() !== "style") return create(name, options);
  const stand = create("template");
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  Object.defineProperty(stand, "textContent", { set: (text) => sheet.replaceSync(text), get: () => "" });
  Object.defineProperty(stand, "sheet", { get: () => sheet });
  return stand;
};
const set = Element.prototype.setAttribute;
Element.prototype.setAttribute = function (name, value) {
  if (name === "style") this.style.cssText = value;
  else set.call(this, name, value);
};
