/** Asks for a token when the server refuses to answer without one, and shows the console when it does. */
import { Button, PasswordInput, Stack } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useEffect, useState } from "react";
import { saveToken, savedToken } from "../api/client.ts";
import { useApi } from "../api/queries.ts";
import { Command } from "../parts/feedback.tsx";

export function TokenGate({ children }: { readonly children: ReactNode }) {
  const client = useQueryClient();
  const server = useApi("GET /server", {}, { refetchMs: 30_000 });
  const [refused, setRefused] = useState(false);

  useEffect(() => {
    if (server.error?.problem.status === 401) setRefused(true);
    else if (server.data !== undefined && server.error === null) setRefused(false);
  }, [server.data, server.error]);
  // A token may be revoked while a page is open: any refusal asks for another.
  useEffect(
    () =>
      client.getQueryCache().subscribe(({ query }) => {
        const problem = (query.state.error as { problem?: { status?: number } } | null)?.problem;
        if (problem?.status === 401) setRefused(true);
      }),
    [client],
  );

  if (!refused) return children;
  return (
    <TokenForm
      wasRefused={savedToken() !== null}
      onToken={(token) => {
        saveToken(token);
        setRefused(false);
        void client.resetQueries();
      }}
    />
  );
}

function TokenForm(props: { readonly wasRefused: boolean; readonly onToken: (token: string) => void }) {
  const [token, setToken] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (token.trim() !== "") props.onToken(token.trim());
  };
  return (
    <main className="token-gate">
      <form onSubmit={submit}>
        <Stack gap="md">
          <h1>This server asks for a token</h1>
          <p className="dimmed">
            It is kept in this tab only and forgotten when the tab closes. An admin makes one on the server with:
          </p>
          <Command text="retrain tokens create console --role operator" />
          <PasswordInput
            label="Token"
            value={token}
            onChange={(event) => setToken(event.currentTarget.value)}
            placeholder="rt_…"
            autoComplete="off"
            error={props.wasRefused ? "The server refused this token: it is unknown, expired or revoked." : undefined}
            data-autofocus
            autoFocus
          />
          <Button type="submit" disabled={token.trim() === ""}>
            Open the console
          </Button>
        </Stack>
      </form>
    </main>
  );
}
