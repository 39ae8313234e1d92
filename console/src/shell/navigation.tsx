import type { Role } from "../../../src/server/contract.ts";
import { Link } from "@tanstack/react-router";
import { useApi } from "../api/queries.ts";
import { Icon, type IconName } from "../parts/icons.tsx";

const ITEMS = [
  { to: "/", name: "Overview", icon: "home" },
  { to: "/runs", name: "Runs", icon: "half" },
  { to: "/decisions", name: "Decisions", icon: "scale" },
  { to: "/alerts", name: "Alerts", icon: "bell" },
  { to: "/audit", name: "Audit", icon: "list", role: "admin" },
] as const satisfies readonly { to: string; name: string; icon: IconName; role?: Role }[];

export function Navigation({ isOpen }: { readonly isOpen: boolean }) {
  const models = useApi("GET /models", {});
  const role = useApi("GET /server", {}).data?.actor.role;
  const openAlerts = models.data?.items.reduce((sum, { openAlerts: count }) => sum + count, 0) ?? 0;
  return (
    <nav id="navigation" className="navigation" data-open={isOpen} aria-label="Pages">
      <div className="navigation-inside">
        <ul>
          {ITEMS.filter((item) => !("role" in item) || item.role === role).map(({ to, name, icon }) => (
            <li key={to}>
              <Link to={to} className="nav-link" activeOptions={{ exact: to === "/", includeSearch: false }}>
                <Icon name={icon} />
                {name}
                {name === "Alerts" && openAlerts > 0 ? (
                  <span className="count">
                    {openAlerts}
                    <span className="sr-only"> open</span>
                  </span>
                ) : null}
              </Link>
            </li>
          ))}
        </ul>
        <h2>Models</h2>
        <ul>
          {models.data?.items.map(({ name }) => (
            <li key={name}>
              <Link
                to="/models/$model"
                params={{ model: name }}
                className="nav-link"
                activeOptions={{ includeSearch: false }}
              >
                <Icon name="model" />
                <span className="nav-name">{name}</span>
              </Link>
            </li>
          ))}
          {models.data?.items.length === 0 ? <li className="dimmed small nav-note">none yet</li> : null}
        </ul>
      </div>
    </nav>
  );
}
