import { Button } from "@mantine/core";

interface Paged {
  readonly hasNextPage: boolean;
  readonly isFetchingNextPage: boolean;
  fetchNextPage(): Promise<unknown>;
}

/** Under a list that is read by pages. */
export function More({ of, shown }: { readonly of: Paged; readonly shown: number }) {
  if (shown === 0 && !of.hasNextPage) return null;
  return (
    <p className="more dimmed small">
      {shown} shown.
      {of.hasNextPage ? (
        <Button
          variant="default"
          size="compact-sm"
          loading={of.isFetchingNextPage}
          onClick={() => void of.fetchNextPage()}
        >
          Show more
        </Button>
      ) : null}
    </p>
  );
}
