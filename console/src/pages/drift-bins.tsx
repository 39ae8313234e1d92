/** Both windows of a feature, bin by bin, and what each bin adds to the population stability index. */
import type { FeatureDrift } from "../../../src/server/contract.ts";
import { number, share } from "../format.ts";

export function DriftBins({ feature }: { readonly feature: FeatureDrift }) {
  const { bins } = feature;
  const before = bins.reduce((sum, bin) => sum + bin.reference, 0);
  const now = bins.reduce((sum, bin) => sum + bin.current, 0);
  const largest = Math.max(
    ...bins.map((bin) => Math.max(bin.reference / (before || 1), bin.current / (now || 1))),
    1e-9,
  );
  const most = Math.max(...bins.map((bin) => bin.contribution), 1e-9);
  const width = (part: number) => `${(100 * part).toFixed(1)}%`;
  return (
    // A scrolling region must take the focus, or keyboards cannot scroll it.
    // oxlint-disable-next-line no-noninteractive-tabindex
    <div className="table-region" role="region" aria-label={`Bins of ${feature.feature}`} tabIndex={0}>
      <table className="table bins">
        <thead>
          <tr>
            <th scope="col">{feature.kind === "number" ? "Range" : "Value"}</th>
            <th scope="col">
              <span className="bin-key bin-reference" /> reference, <span className="bin-key bin-current" /> current
            </th>
            <th scope="col" className="right">
              Reference
            </th>
            <th scope="col" className="right">
              Current
            </th>
            <th scope="col">Adds to the PSI</th>
          </tr>
        </thead>
        <tbody>
          {bins.map((bin) => (
            <tr key={bin.label}>
              <th scope="row" className="bin-label">
                {bin.label}
              </th>
              <td className="bin-bars" aria-hidden="true">
                <div
                  className="bin-bar bin-reference"
                  style={{ width: width(bin.reference / (before || 1) / largest) }}
                />
                <div className="bin-bar bin-current" style={{ width: width(bin.current / (now || 1) / largest) }} />
              </td>
              <td className="right">{before === 0 ? "–" : share(bin.reference / before)}</td>
              <td className="right">{now === 0 ? "–" : share(bin.current / now)}</td>
              <td className="bin-part">
                <div
                  className="bin-bar bin-adds"
                  style={{ width: width((0.6 * Math.max(0, bin.contribution)) / most) }}
                />{" "}
                {number(bin.contribution, 2)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
