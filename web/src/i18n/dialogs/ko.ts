/** 한국어. Every key of en.ts; the type below does not let one be missing. */
import type { Translations } from "../ko.ts";
import type * as base from "./en.ts";

export const ko = {
  settings: {
    label: "설정",
    language: "언어",
    byBrowser: "브라우저 설정 따르기",
    theme: "화면 모드",
    system: "시스템 설정 따르기",
    light: "밝게",
    dark: "어둡게",
    connectWhyTrial:
      "daehwa에 들어 있는 모델은 바로 써 볼 수 있도록 넣은 체험용이에요. 아주 작아서 영어만 이해하고 자주 틀려요. 제대로 된 답변을 받으려면 다른 모델을 연결해 주세요.",
    connectWhy: "daehwa는 연결한 모델에 질문을 전달해요. 모델을 새로 연결하거나 추가하려면 다음과 같이 하세요.",
    connectOpenai: "OpenAI: daehwa를 시작하기 전에 API 키를 설정하세요",
    connectBaseUrl: "OpenAI 프로토콜을 쓰는 서버(Ollama, vLLM, LM Studio, OpenRouter 등): 주소를 설정하세요",
    connectFile: "여러 개를 함께 쓰거나 직접 준비한 모델 파일을 쓰려면: daehwa.toml을 작성하세요",
    connectAfter: "그런 다음 daehwa를 다시 시작하세요.",
    connectAws: "이 daehwa는 AWS에서 실행 중이에요. 모델은 배포한 사람이 배포한 폴더에서 선택해요.",
    connectAwsKey: "모델 제공자의 API 키를 설정하거나 바꾸기",
    connectAwsModels: "사용할 모델 정하기",
    connectAwsBaseUrl: "OpenAI 프로토콜을 쓰는 다른 제공자: 주소를 설정하세요",
    version: "daehwa {version}",
  },
  help: {
    label: "키보드 단축키",
    fresh: "새 대화",
    search: "대화 검색",
    composer: "입력창으로 이동",
    stop: "답변 중지",
    sidebar: "대화 목록 보기/숨기기",
    print: "대화 전체 인쇄",
    help: "이 목록 보기",
    enter: "보내기",
    newline: "줄 바꿈",
  },
} satisfies Translations<typeof base>;
