/**
 * Held by the compiler: what REST is said to answer (`schema.gen.ts`, made by `npm run generate` from the OpenAPI
 * document) fits the words we use (`types.ts`). An answer that changes its shape breaks the build here.
 */
import type { Ban, CheckedLink, InviteLink } from "./chats";
import type { Scheduled } from "./scheduled";
import type { components } from "./schema.gen";
import type { Found } from "./search";
import type * as Words from "./types";

type Answers = components["schemas"];
type Fits<Word, Answer extends Word> = Answer;

export type Contract = [
  Fits<Words.Me, Answers["Me"]>,
  Fits<Words.SignedIn, Answers["SignedIn"]>,
  Fits<Words.User, Answers["User"]>,
  Fits<Words.Session, Answers["Session"]>,
  Fits<Words.ApiKey, Answers["ApiKey"]>,
  Fits<Words.AuditEntry, Answers["AuditEntry"]>,
  Fits<Words.Message, Answers["Message"]>,
  Fits<Words.MessagePage, Answers["MessagePage"]>,
  Fits<Words.MessageVersion, Answers["VersionJson"]>,
  Fits<Words.Snippet, Answers["Snippet"]>,
  Fits<Words.ConversationAnswer, Answers["Conversation"]>,
  Fits<InviteLink, Answers["InviteLinkJson"]>,
  Fits<Ban, Answers["BanJson"]>,
  Fits<CheckedLink, Answers["CheckedLink"]>,
  Fits<Scheduled, Answers["Scheduled"]>,
  Fits<Found, Answers["FoundMessage"]>,
  Fits<Words.Readers, Answers["Readers"]>,
  Fits<Words.Pin, Answers["Pin"]>,
  Fits<Words.WrittenDraft, Answers["DraftJson"]>,
  Fits<Words.Person, Answers["Person"]>,
  Fits<Words.Member, Answers["MemberJson"]>,
  Fits<Words.DeskConversation, Answers["DeskConversation"]>,
  Fits<Words.ConversationPage, Answers["DeskPage"]>,
  Fits<Words.Changes, Answers["DeskChanges"]>,
  Fits<Words.Counts, Answers["DeskCounts"]>,
  Fits<Words.Inbox, Answers["Inbox"]>,
  Fits<Words.Channels, Answers["ChannelList"]>,
  Fits<Words.Contact, Answers["Contact"]>,
  Fits<Words.JournalItem, Answers["JournalItem"]>,
  // an upload is answered when it is here, so its size is known
  Fits<Omit<Words.Media, "size_bytes">, Answers["MediaJson"]>,
];
