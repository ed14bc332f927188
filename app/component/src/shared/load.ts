// Reading the dashboard's own routes.

/** The server answered with an error, or not at all. The message is a sentence for the user. */
export class LoadError extends Error {}

/** The JSON of a route of this server. Throws LoadError. */
export async function load<Answer>(address: string, signal?: AbortSignal): Promise<Answer> {
  const response = await answerOf(address, { signal });
  return (await response.json()) as Answer;
}

/** Send JSON to a route of this server, and read its JSON answer. Throws LoadError. */
export async function send<Answer>(method: "POST" | "PATCH" | "PUT" | "DELETE", address: string, body: unknown): Promise<Answer> {
  const headers = { "content-type": "application/json" };
  const response = await answerOf(address, { method, headers, body: JSON.stringify(body) });
  return (await response.json()) as Answer;
}

/** The response of a route. Throws LoadError, also for the error of another status. */
export async function answerOf(address: string, options: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new LoadError("The server does not answer. Check that it is running and that the tunnel is open.");
  }
  if (!response.ok) throw new LoadError(await sentence(response));
  return response;
}

async function sentence(response: Response): Promise<string> {
  try {
    const body = (await response.json()) as { error?: { message?: string } };
    if (body.error?.message) return body.error.message;
  } catch {
    // not JSON: a proxy answered
  }
  return `The server answered with status ${response.status}.`;
}
