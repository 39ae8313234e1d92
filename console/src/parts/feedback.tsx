/** What a page shows instead of its content: that there is none yet, that it was refused, that it is being read. */
import { Button, Code, CopyButton, Loader, Skeleton, Stack } from "@mantine/core";
import type { ReactNode } from "react";
import type { ApiError } from "../api/client.ts";
import { Icon } from "./icons.tsx";
import { PageHeading } from "./layout.tsx";

export function Command({ text }: { readonly text: string }) {
  return (
    <div className="command">
      <Code className="command-text">{text}</Code>
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <Button
            variant="default"
            size="compact-sm"
            onClick={copy}
            leftSection={<Icon name={copied ? "check" : "copy"} size={14} />}
          >
            {copied ? "Copied" : "Copy"}
          </Button>
        )}
      </CopyButton>
    </div>
  );
}

/** One sentence, one copyable command, at most one button. */
export function Empty(props: { readonly sentence: string; readonly command?: string; readonly action?: ReactNode }) {
  return (
    <div className="empty">
      <p>{props.sentence}</p>
      {props.command === undefined ? null : <Command text={props.command} />}
      {props.action}
    </div>
  );
}

export function Refused({ error, onRetry }: { readonly error: ApiError; readonly onRetry?: () => void }) {
  const { code, detail, hint, requestId } = error.problem;
  return (
    <div className="refused" role="alert">
      <span className="state-shape" data-tone="bad">
        <Icon name="exclamation" />
      </span>
      <div>
        <p className="refused-detail">{detail}</p>
        <p className="dimmed">{hint}</p>
        <p className="dimmed small">
          <Code>{code}</Code>
          {requestId === undefined ? null : <> request {requestId}</>}
        </p>
        {onRetry === undefined ? null : (
          <Button variant="default" size="compact-sm" onClick={onRetry}>
            Try again
          </Button>
        )}
      </div>
    </div>
  );
}

export function Loading({ lines = 3 }: { readonly lines?: number }) {
  return (
    <Stack gap="xs" role="status" aria-busy="true" aria-label="Reading">
      {Array.from({ length: lines }, (_, line) => (
        <Skeleton key={line} height={18} animate={false} width={line === lines - 1 ? "60%" : "100%"} />
      ))}
    </Stack>
  );
}

export function PageLoading() {
  return (
    <div className="page-loading">
      <Loader size="sm" aria-label="Reading the page" />
    </div>
  );
}

interface Readable<T> {
  readonly data: T | undefined;
  readonly error: ApiError | null;
  refetch(): Promise<unknown>;
}

/** Shows `children` of an answer, or why there is none. Old data stays visible while a refresh fails. */
export function Await<T>(props: {
  readonly of: Readable<T>;
  readonly lines?: number;
  /** Heading of a page whose own heading comes with the answer: a refusal needs one too. */
  readonly title?: string;
  readonly children: (data: T) => ReactNode;
}) {
  const { of, lines = 3, title, children } = props;
  if (of.data !== undefined) return children(of.data);
  return (
    <>
      {title === undefined ? null : <PageHeading title={title} />}
      {of.error === null ? <Loading lines={lines} /> : <Refused error={of.error} onRetry={() => void of.refetch()} />}
    </>
  );
}
