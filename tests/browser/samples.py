"""What models write: usual Markdown, and text that means harm."""

CODE = 'def greet(name):\n    return f"안녕, {name}"'
MARKDOWN = f"""Some **bold** words and a list:

- first
- second

| fruit | price |
| --- | --- |
| apple | 3 |

```python
{CODE}
```
"""
HOSTILE = """Before <script>window.harmed = 1</script> <img src=x onerror="window.harmed = 2"> after.

<iframe src="https://evil.example/frame"></iframe> <svg onload="window.harmed = 3"></svg>

[press me](javascript:window.harmed=4) [or me](data:text/html,<script>alert(1)</script>)
[me]( JaVaScRiPt:window.harmed=5 ) and <a href="javascript:window.harmed=6">raw</a>.

![picture](https://evil.example/pixel.png) ![inline](data:image/svg+xml,<svg/onload=alert(1)>)

```html"><img src=x onerror=window.harmed=7>
<script>window.harmed = 8</script>
```

[an honest link](https://example.com/)

The end.
"""
ITEMS = "".join(f"{number}. Item {number} is long enough to be read for a while.\n" for number in range(1, 121))
ROWS = "".join(f"| apple {number} | {number} |\n" for number in range(12))
LONG = f"""# Much to read

{ITEMS}
| fruit | price |
| --- | --- |
{ROWS}
```python
{CODE * 8}
```

Some **bold** words at the end.
"""
