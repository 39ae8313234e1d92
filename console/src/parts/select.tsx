import { NativeSelect } from "@mantine/core";

/** One of a list, or all of it. */
export function Select(props: {
  readonly label: string;
  readonly value: string | undefined;
  /** What choosing none is called. */
  readonly all: string;
  readonly options: readonly (readonly [value: string, text: string])[];
  readonly onChange: (value: string | undefined) => void;
}) {
  const { label, value, all, options, onChange } = props;
  return (
    <NativeSelect
      label={label}
      size="sm"
      value={value ?? ""}
      data={[{ value: "", label: all }, ...options.map(([one, text]) => ({ value: one, label: text }))]}
      onChange={(event) => onChange(event.currentTarget.value || undefined)}
    />
  );
}
