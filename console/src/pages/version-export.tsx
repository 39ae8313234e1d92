/** A version as a file: for another server with its evidence, or its model alone for any runtime. */
import { Button } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import type { ApiError } from "../api/client.ts";
import { download } from "../api/download.ts";
import { Refused } from "../parts/feedback.tsx";
import { Section } from "../parts/layout.tsx";

const FORMATS = [
  { format: "retrain", label: "Signed file" },
  { format: "onnx", label: "ONNX" },
  { format: "onnx-counts", label: "ONNX, texts as counted terms" },
] as const;
type Format = (typeof FORMATS)[number]["format"];

export function ExportSection({ model, version }: { readonly model: string; readonly version: string }) {
  const exporting = useMutation<void, ApiError, Format>({
    mutationFn: (format) => {
      const name = `${model}-${version}.${format === "retrain" ? "retrain" : "onnx"}`;
      return download(`/models/${model}/versions/${version}/export?format=${format}`, name);
    },
  });
  return (
    <Section
      title="Export"
      lead="The signed file goes to another server, which judges it with its own gate. ONNX is the model alone, with its preparation."
    >
      <div className="actions">
        {FORMATS.map(({ format, label }) => (
          <Button
            key={format}
            variant="default"
            loading={exporting.isPending && exporting.variables === format}
            onClick={() => exporting.mutate(format)}
          >
            {label}
          </Button>
        ))}
      </div>
      {exporting.error === null ? null : <Refused error={exporting.error} />}
    </Section>
  );
}
