/** 한국어. */
import type { Translations } from "../ko.ts";
import type * as base from "./en.ts";

export const ko = {
  rareErrors: {
    login_taken: "다른 사람이 이미 이 이름으로 로그인해요. 다른 이름을 골라 주세요.",
    group_name_taken: "같은 이름의 그룹이 이미 있어요. 다른 이름을 골라 주세요.",
    mail_off: "이 서버는 메일을 보내지 않아요. 관리자에게 링크를 요청해 주세요.",
    password_refused: "누구나 먼저 시도해 볼 만한 비밀번호예요. 단어 몇 개를 이어 만들면 더 안전해요.",
    owned_by_another: "이 대화는 여기서 다른 사람의 것이에요.",
    user_not_found: "더 이상 없는 사람이에요.",
    group_not_found: "더 이상 없는 그룹이에요.",
    held_by_admin:
      "삭제해도 바로 다시 들어올 수 있고, 그러면 지금의 역할, 그룹, 예산이 사라져요. 관리자에게 계정 삭제를 요청해 주세요.",
    last_admin: "로그인할 수 있는 마지막 관리자예요. 먼저 다른 사람을 관리자로 지정해 주세요.",
    passkey_not_found: "이미 없는 패스키예요.",
    session_not_found: "이미 끝난 로그인이에요.",
    link_gone: "이미 사용했거나 너무 오래된 링크예요. 새 링크를 요청해 주세요.",
    person_leaving: "이 사용자의 데이터를 삭제하고 있어요. 계속하려면 한 번 더 삭제해 주세요.",
    invitation_not_found: "이미 사용했거나 오래되었거나 취소된 링크예요.",
    provider_not_found: "이미 없는 제공자예요.",
    codes_off: "인증 앱이 설정되어 있지 않아요. 먼저 설정해 주세요.",
    codes_on: "인증 앱이 이미 설정되어 있어요. 먼저 해제해 주세요.",
    key_not_found: "없는 키이거나 내 키가 아니에요.",
    key_refused: "이 API 키는 사용할 수 없어요.",
    key_missing: "API 키가 필요해요.",
    key_unknown: "이 서버에서 만든 API 키가 아니에요.",
    key_expired: "만료된 API 키예요.",
    key_revoked: "폐기된 API 키예요.",
    model_not_allowed: "이 API 키로는 사용할 수 없는 모델이에요.",
    rate_exceeded: "1분에 허용된 양을 넘었어요.",
  },
  lost: {
    title: "새 비밀번호를 정할 링크 받기",
    why: "로그인할 때 쓰는 이름을 입력해 주세요. 그 계정의 이메일 주소로 링크를 보내 드려요.",
    send: "링크 보내기",
    sent: "계정이 있고 이메일 주소가 등록되어 있다면 곧 링크가 도착해요. 링크는 1시간 동안 한 번만 쓸 수 있어요.",
  },
  printing: {
    gathering: "인쇄할 대화 전체를 불러오고 있어요…",
  },
  files: {
    noText: "‘{name}’ 파일은 이미지나 텍스트가 아니라서 추가할 수 없어요.",
    fileTooLong: "‘{name}’ 파일이 너무 길어요. {limit}자까지 추가할 수 있어요.",
  },
} satisfies Translations<typeof base>;
