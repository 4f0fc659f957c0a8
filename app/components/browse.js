// Browse's modules are fetched from this server, under an address that changes with them.

export default function (component) {
  const root = component.parentElement.querySelector(".assay-browse"), { who, proposal, version } = component.data;
  root.component = component;
  if (who || !root.who) root.who = who; // it may be said, or changed, while the page is open
  root.proposal = proposal;
  root.page ??= import(`${location.origin}/assay/browse/${version}/main.js`).then(
    ({ browse }) => (root.gone ? null : browse(root, () => root.component)),
    () => { root.textContent = "The page's code could not be fetched: reload it."; });
  return () => { root.gone = true; root.page?.then((page) => page?.stop()); root.page = null; };
}
