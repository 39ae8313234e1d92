/** Pages of a model in the order of their tabs; the palette finds them by name. */
export const MODEL_PAGES = [
  { to: "/models/$model", name: "Performance", exact: true },
  { to: "/models/$model/drift", name: "Drift", exact: false },
  { to: "/models/$model/runs", name: "Runs", exact: false },
  { to: "/models/$model/versions", name: "Versions", exact: false },
  { to: "/models/$model/rollouts", name: "Rollouts", exact: false },
  { to: "/models/$model/compare", name: "Compare", exact: false },
  { to: "/models/$model/decisions", name: "Decisions", exact: false },
  { to: "/models/$model/diagnosis", name: "Diagnosis", exact: false },
  { to: "/models/$model/alerts", name: "Alerts", exact: false },
  { to: "/models/$model/data", name: "Data", exact: false },
  { to: "/models/$model/labeling", name: "Labeling", exact: false },
  { to: "/models/$model/feedback", name: "Feedback", exact: false },
  { to: "/models/$model/predict", name: "Predict", exact: false },
] as const;
