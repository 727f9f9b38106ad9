"""OpenAI's dialect: its paths, its errors, its bytes. What a call is and costs is the gateway's business."""
