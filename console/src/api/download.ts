/** Files of the server. A link alone would send no token, so the file is fetched and handed to the browser. */
import { authorization, reach, refusal } from "./client.ts";

/** @param path below /api/v1 @throws ApiError */
export async function download(path: string, name: string): Promise<void> {
  const answer = await reach(`/api/v1${path}`, { headers: authorization() });
  if (!answer.ok) throw await refusal(answer);
  const address = URL.createObjectURL(await answer.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser has begun to save by then; at once would be too early for some.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
