"""The local Lambda endpoint: the Invoke API of AWS Lambda on 127.0.0.1, running handlers written in Python."""
