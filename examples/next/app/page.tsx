// app/page.tsx
import { currentSession } from "../lib/visitors";
import { signIn, signOut } from "./actions";

export default async function Page() {
  const session = await currentSession();
  return (
    <main>
      <h1>Hello {session?.customerId ?? "visitor"}</h1>
      {session?.customerId ? (
        <form action={signOut}>
          <button type="submit">Sign out</button>
        </form>
      ) : (
        <form action={signIn}>
          <input name="name" placeholder="Name" />
          <input name="password" type="password" placeholder="Password" />
          <button type="submit">Sign in</button>
        </form>
      )}
    </main>
  );
}
