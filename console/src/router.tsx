/** Every page and its address. Pages are loaded when they are first opened. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { PageLoading } from "./parts/feedback.tsx";
import { NotFound, PageFailed, Shell } from "./shell/shell.tsx";
import {
  alertsSearch,
  auditSearch,
  compareSearch,
  dataSearch,
  decisionsSearch,
  driftSearch,
  experimentSearch,
  feedbackSearch,
  labelingSearch,
  performanceSearch,
  runsSearch,
} from "./search.ts";

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const overview = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: lazyRouteComponent(() => import("./pages/overview.tsx"), "OverviewPage"),
});
const runs = createRoute({
  getParentRoute: () => root,
  path: "/runs",
  validateSearch: runsSearch,
  component: lazyRouteComponent(() => import("./pages/runs.tsx"), "RunsPage"),
});
const run = createRoute({
  getParentRoute: () => root,
  path: "/runs/$id",
  component: lazyRouteComponent(() => import("./pages/run.tsx"), "RunPage"),
});
const decisions = createRoute({
  getParentRoute: () => root,
  path: "/decisions",
  validateSearch: decisionsSearch,
  component: lazyRouteComponent(() => import("./pages/decisions.tsx"), "DecisionsPage"),
});
const alerts = createRoute({
  getParentRoute: () => root,
  path: "/alerts",
  validateSearch: alertsSearch,
  component: lazyRouteComponent(() => import("./pages/alerts.tsx"), "AlertsPage"),
});

const audit = createRoute({
  getParentRoute: () => root,
  path: "/audit",
  validateSearch: auditSearch,
  component: lazyRouteComponent(() => import("./pages/audit.tsx"), "AuditPage"),
});

const model = createRoute({
  getParentRoute: () => root,
  path: "/models/$model",
  component: lazyRouteComponent(() => import("./pages/model-layout.tsx"), "ModelLayout"),
});
const performance = createRoute({
  getParentRoute: () => model,
  path: "/",
  validateSearch: performanceSearch,
  component: lazyRouteComponent(() => import("./pages/model.tsx"), "ModelPage"),
});
const drift = createRoute({
  getParentRoute: () => model,
  path: "/drift",
  validateSearch: driftSearch,
  component: lazyRouteComponent(() => import("./pages/drift.tsx"), "DriftPage"),
});
const predict = createRoute({
  getParentRoute: () => model,
  path: "/predict",
  component: lazyRouteComponent(() => import("./pages/predict.tsx"), "PredictPage"),
});
const modelRuns = createRoute({
  getParentRoute: () => model,
  path: "/runs",
  validateSearch: runsSearch,
  component: lazyRouteComponent(() => import("./pages/runs.tsx"), "ModelRunsPage"),
});
const versions = createRoute({
  getParentRoute: () => model,
  path: "/versions",
  component: lazyRouteComponent(() => import("./pages/versions.tsx"), "VersionsPage"),
});
const version = createRoute({
  getParentRoute: () => model,
  path: "/versions/$version",
  component: lazyRouteComponent(() => import("./pages/version.tsx"), "VersionPage"),
});
const compare = createRoute({
  getParentRoute: () => model,
  path: "/compare",
  validateSearch: compareSearch,
  component: lazyRouteComponent(() => import("./pages/compare.tsx"), "ComparePage"),
});
const modelDecisions = createRoute({
  getParentRoute: () => model,
  path: "/decisions",
  validateSearch: decisionsSearch,
  component: lazyRouteComponent(() => import("./pages/decisions.tsx"), "ModelDecisionsPage"),
});
const diagnosis = createRoute({
  getParentRoute: () => model,
  path: "/diagnosis",
  component: lazyRouteComponent(() => import("./pages/diagnosis.tsx"), "DiagnosisPage"),
});
const modelAlerts = createRoute({
  getParentRoute: () => model,
  path: "/alerts",
  validateSearch: alertsSearch,
  component: lazyRouteComponent(() => import("./pages/alerts.tsx"), "ModelAlertsPage"),
});
const data = createRoute({
  getParentRoute: () => model,
  path: "/data",
  validateSearch: dataSearch,
  component: lazyRouteComponent(() => import("./pages/data.tsx"), "DataPage"),
});

const feedback = createRoute({
  getParentRoute: () => model,
  path: "/feedback",
  validateSearch: feedbackSearch,
  component: lazyRouteComponent(() => import("./pages/feedback.tsx"), "FeedbackPage"),
});
const rollouts = createRoute({
  getParentRoute: () => model,
  path: "/rollouts",
  component: lazyRouteComponent(() => import("./pages/rollouts.tsx"), "RolloutsPage"),
});
const experiment = createRoute({
  getParentRoute: () => model,
  path: "/rollouts/$id",
  validateSearch: experimentSearch,
  component: lazyRouteComponent(() => import("./pages/experiment.tsx"), "ExperimentPage"),
});

const labeling = createRoute({
  getParentRoute: () => model,
  path: "/labeling",
  validateSearch: labelingSearch,
  component: lazyRouteComponent(() => import("./pages/labeling.tsx"), "LabelingPage"),
});
const labelingTeam = createRoute({
  getParentRoute: () => model,
  path: "/labeling/team",
  component: lazyRouteComponent(() => import("./pages/labeling-team.tsx"), "LabelingTeamPage"),
});

const routeTree = root.addChildren([
  overview,
  runs,
  run,
  decisions,
  alerts,
  audit,
  model.addChildren([
    performance,
    drift,
    diagnosis,
    predict,
    modelRuns,
    versions,
    version,
    rollouts,
    experiment,
    compare,
    modelDecisions,
    modelAlerts,
    data,
    feedback,
    labeling,
    labelingTeam,
  ]),
]);

export const router = createRouter({
  routeTree,
  defaultPreload: "intent",
  defaultPendingComponent: PageLoading,
  defaultErrorComponent: PageFailed,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
